from dlcourse.lab import callbacks as callbacks
from dlcourse.lab import comparison as comparison
from dlcourse.lab import diagnosis as diagnosis
from dlcourse.lab import exporting as exporting
from dlcourse.lab import faithfulness as faithfulness
from dlcourse.lab import plots as plots
from dlcourse.lab.range_test import find_learning_rate as find_learning_rate
